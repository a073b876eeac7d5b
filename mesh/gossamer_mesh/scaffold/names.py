"""How one name is spelled in different places: `loyalty-points`, `loyalty_points`, `loyaltyPoints`, `LoyaltyPoints`."""

import re

SPELLED_DIFFERENTLY = re.compile(r"(?<=[0-9])[a-z]")
"""A small letter behind a digit: protoc-gen-go, for one, makes it a capital, and others don't."""
WORD = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z0-9]+|[0-9]+")

RUST = """
abstract as async await become box break const continue do dyn else enum extern false final fn for gen if impl in let
loop macro match mod move mut override priv pub ref return static struct trait true try type typeof unsafe unsized use
virtual where while yield
"""
"""Words that a module has only behind `r#` in Rust."""


def snake(name: str) -> str:
    """Spell a name in lower case, its words joined by underscores: GetSKUList is get_sku_list."""
    return "_".join(word.lower() for word in WORD.findall(name))


def pascal(name: str) -> str:
    """Spell a name as every language spells a type: loyalty-points is LoyaltyPoints, and area51b is Area51B."""
    capitalized = "".join(word[:1].upper() + word[1:] for word in WORD.findall(name))
    return SPELLED_DIFFERENTLY.sub(lambda found: found[0].upper(), capitalized)


def title(name: str) -> str:
    """Spell a name as Rust spells a type, a capital for each word: FindSKUs is FindSkUs."""
    return "".join(word.capitalize() for word in WORD.findall(name))


def camel(name: str) -> str:
    """Spell a name as Java and TypeScript spell methods: GetProduct is getProduct."""
    return name[:1].lower() + name[1:]


def rust_path(package: str) -> str:
    """Spell a package as a path of modules: shop.match.v1 is shop::r#match::v1."""
    return "::".join(f"r#{part}" if part in RUST.split() else part for part in package.split("."))


def java_outer(stem: str, types: frozenset[str]) -> str:
    """Give the class that holds the messages of a file in Java, which has another name if one of them has its own.

    Follows protoc: google/protobuf/compiler/java/name_resolver.cc.
    """
    name = re.sub(r"(?:^|[^A-Za-z0-9]|(?<=[0-9]))([a-z]?)", lambda found: found[1].upper(), stem)
    return f"{name}OuterClass" if name in types else name
