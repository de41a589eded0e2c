#include "response/event.h"

#include "parse/json.h"

#include <pthread.h>
#include <string.h>

/* What the paths of the table below say. The first ones make an error by themselves. */
enum { ERROR_VALUE, ERROR_WORD, MESSAGE, CODE };

static const struct { const char *path; int says; } shapes[] = {
    {"error", ERROR_VALUE}, {"errors", ERROR_VALUE}, {"error_message", ERROR_VALUE}, {"detail", ERROR_VALUE},
    {"object", ERROR_WORD}, {"type", ERROR_WORD}, {"status", ERROR_WORD},
    {"message", MESSAGE}, {"code", CODE}, {"status_code", CODE},
};

static json_paths *paths;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Made once, and kept for as long as the process lives. */
static void make_paths(void) {
    paths = json_paths_new();
    for (size_t i = 0; paths && i < sizeof shapes / sizeof *shapes; i++)
        json_paths_add(paths, shapes[i].path, (int)i);
}

static bool is_word(const json_match *match, const char *word) {
    return match->type == JSON_STRING && match->length == strlen(word) && memcmp(match->start, word, match->length) == 0;
}

static bool is_nothing(const json_match *match) {
    switch (match->type) {
    case JSON_STRING: return match->length == 0;
    case JSON_ARRAY:
    case JSON_OBJECT: return match->count == 0;
    default: return match->type == JSON_NULL || match->type == JSON_FALSE || match->type == JSON_NUMBER;
    }
}

bool event_is_error(const char *data, size_t length) {
    pthread_once(&once, make_paths);
    json_match matches[sizeof shapes / sizeof *shapes];
    int found = paths ? json_scan(paths, data, length, matches, sizeof matches / sizeof *matches, NULL) : 0;
    bool message = false, failed = false;
    for (int i = 0; i < found; i++) {
        const json_match *match = &matches[i];
        switch (shapes[match->slot].says) {
        case ERROR_VALUE:
            if (!is_nothing(match))
                return true;
            break;
        case ERROR_WORD:
            if (is_word(match, "error"))
                return true;
            failed |= json_integer(match, 0) >= 400;
            break;
        case MESSAGE: message |= match->type == JSON_STRING && match->length > 0; break;
        case CODE: failed |= json_integer(match, 0) >= 400; break;
        default: break;
        }
    }
    return message && failed;
}

bool event_is_abort(event_span finish) {
    static const char *const words[] = {"abort", "aborted", "error"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (finish.length == strlen(words[i]) && memcmp(finish.start, words[i], finish.length) == 0)
            return true;
    return false;
}
