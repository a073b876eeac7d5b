"""How one name is spelled in different places."""

import pytest

from gossamer_mesh.scaffold import names, starter


@pytest.mark.parametrize(
    ("method", "snake", "camel"),
    [
        ("GetProduct", "get_product", "getProduct"),
        ("GetSKUList", "get_sku_list", "getSKUList"),
        ("FindSKUs", "find_sk_us", "findSKUs"),
        ("GetV2Product", "get_v2_product", "getV2Product"),
        ("Ask", "ask", "ask"),
    ],
)
def test_a_method_is_spelled_as_languages_do(method: str, snake: str, camel: str) -> None:
    assert (names.snake(method), names.camel(method)) == (snake, camel)


@pytest.mark.parametrize(
    ("name", "pascal"), [("loyalty-points", "LoyaltyPoints"), ("a1-2b", "A12B"), ("area51b", "Area51B"), ("x", "X")]
)
def test_a_service_is_spelled_as_types_are(name: str, pascal: str) -> None:
    assert names.pascal(name) == pascal


@pytest.mark.parametrize(
    ("name", "usable"), [("class", False), ("import", False), ("native", False), ("class-x", True)]
)
def test_a_package_is_no_word_of_a_language(name: str, usable: bool) -> None:
    assert starter.is_usable(name) is usable


@pytest.mark.parametrize(
    ("stem", "types", "outer"),
    [
        ("loyalty", {"LoyaltyService"}, "Loyalty"),
        ("loyalty_points", set(), "LoyaltyPoints"),
        ("area51b", set(), "Area51B"),
        ("loyalty", {"Loyalty"}, "LoyaltyOuterClass"),
    ],
)
def test_messages_in_java_lie_in_the_class_that_protoc_makes(stem: str, types: set[str], outer: str) -> None:
    assert names.java_outer(stem, frozenset(types)) == outer


def test_a_word_of_rust_is_a_module_all_the_same() -> None:
    assert names.rust_path("shop.match.v1") == "shop::r#match::v1"
