#include "parse/json.h"

static inline bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

/* The value is digits * 10^exponent: leading and trailing zeros of the digits are put aside first, so
 * that what remains is an integer exactly when the exponent is not negative. */
int64_t json_integer(const json_match *match, int64_t otherwise) {
    if (match->type != JSON_NUMBER)
        return otherwise;
    const char *p = match->start, *const end = match->start + match->length;
    bool negative = p < end && *p == '-';
    p += negative;
    if (p == end || !is_digit(*p))
        return otherwise;

    uint64_t digits = 0;
    int significant = 0;                  /* digits taken into `digits`, at most 19 */
    int64_t zeros = 0, exponent = 0;      /* zeros seen since the last digit that counted */
    bool fraction = false;
    for (; p < end && (is_digit(*p) || *p == '.'); p++) {
        if (*p == '.') {
            if (fraction)
                return otherwise;
            fraction = true;
            continue;
        }
        exponent -= fraction;
        if (*p == '0') {
            zeros += significant > 0;
            continue;
        }
        if (significant + zeros >= 19)
            return otherwise;             /* twenty significant digits: no int64, nor an integer after a point */
        for (; zeros; zeros--, significant++)
            digits *= 10;
        digits = digits * 10 + (uint64_t)(*p - '0');
        significant++;
    }
    exponent += zeros;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        bool minus = p < end && *p == '-';
        p += p < end && (*p == '-' || *p == '+');
        int64_t power = 0;
        for (; p < end && is_digit(*p); p++)
            if (power < INT64_C(1) << 40)
                power = power * 10 + (*p - '0');
        exponent += minus ? -power : power;
    }
    if (p != end)
        return otherwise;
    if (significant == 0)
        return 0;
    if (exponent < 0 || significant + exponent > 19)
        return otherwise;
    for (; exponent; exponent--)
        digits *= 10;                     /* under 10^19, which an unsigned word holds */
    if (digits > (uint64_t)INT64_MAX + negative)
        return otherwise;
    return negative ? (int64_t)(0 - digits) : (int64_t)digits;
}
