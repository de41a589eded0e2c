"""Which proxy the environment asks for: curl's rules."""

import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.transport.proxies import find_proxy

P, Q = "http://proxy:3128", "http://other:8080"


@pytest.mark.parametrize(
    ("scheme", "environment", "found"),
    [
        ("http", {}, None),
        ("http", {"http_proxy": P}, ("http_proxy", P)),
        ("https", {"http_proxy": P}, None),
        ("https", {"https_proxy": P}, ("https_proxy", P)),
        ("http", {"HTTP_PROXY": P}, ("HTTP_PROXY", P)),
        ("http", {"HTTP_PROXY": P, "REQUEST_METHOD": "GET"}, None),
        ("http", {"HTTP_PROXY": P, "http_proxy": Q}, ("http_proxy", Q)),
        ("http", {"http_proxy": "", "all_proxy": P}, ("all_proxy", P)),
        ("https", {"ALL_PROXY": P}, ("ALL_PROXY", P)),
        ("https", {"https_proxy": Q, "ALL_PROXY": P}, ("https_proxy", Q)),
        ("http", {"http_proxy": "proxy"}, ("http_proxy", "http://proxy:1080")),
        ("http", {"http_proxy": "proxy:3128"}, ("http_proxy", P)),
        ("http", {"http_proxy": "http://[::1]:3128/"}, ("http_proxy", "http://[::1]:3128")),
    ],
)
def test_the_variable_that_counts(scheme: str, environment: dict[str, str], found: tuple[str, str] | None) -> None:
    proxy = find_proxy(scheme, "server", environment)
    assert (proxy and (proxy.variable, proxy.url)) == found


@pytest.mark.parametrize(
    ("host", "exceptions", "direct"),
    [
        ("api.example.com", "example.com", True),
        ("api.example.com", ".example.com", True),
        ("api.example.com", "*.example.com", True),
        ("example.com", ".example.com", True),
        ("API.Example.com.", "example.COM", True),
        ("badexample.com", "example.com", False),
        ("example.com.org", "example.com", False),
        ("server", "*", True),
        ("server", "a, server b", True),
        ("server", "", False),
        ("server", ",,", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "2.3", False),
        ("10.1.2.3", "10.0.0.0/99", False),
        ("::1", "[::1]", True),
        ("fd00::5", "fd00::/8", True),
    ],
)
def test_exceptions(host: str, exceptions: str, direct: bool) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        assert (find_proxy("http", host, {"http_proxy": P, name: exceptions}) is None) == direct


def test_user_and_password_are_sent_and_not_shown() -> None:
    proxy = find_proxy("http", "server", {"http_proxy": "http://Aladdin:open%20sesame@proxy:3128"})
    assert proxy is not None
    assert proxy.authorization == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="  # RFC 7617, section 2
    assert proxy.secrets == ("QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "open sesame")
    assert proxy.url == P
    assert "QWxh" not in repr(proxy)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("socks5://me:secret@proxy:1080", "names a 'socks5' proxy"),
        ("https://me:secret@proxy", "names a 'https' proxy"),
        ("http://", "has no host"),
        ("http://me:secret@proxy:99999", "is not a URL"),
    ],
)
def test_a_proxy_that_will_not_do(url: str, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        find_proxy("http", "server", {"http_proxy": url})
    assert f"http_proxy {problem}" in str(caught.value)
    assert "--no-proxy" in str(caught.value)
    assert "secret" not in str(caught.value)
