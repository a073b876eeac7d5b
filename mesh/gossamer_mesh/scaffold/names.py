"""How one name is spelled in different places: `loyalty-points`, `loyalty_points`, `loyaltyPoints`, `LoyaltyPoints`."""

import re

SPELLED_DIFFERENTLY = re.compile(r"(?<=[0-9])[a-z]")
"""A small letter behind a digit: protoc-gen-go, for one, makes it a capital, and others don't."""
WORD = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z0-9]+|[0-9]+")


def snake(name: str) -> str:
    """Spell a name in lower case, its words joined by underscores: GetSKUList is get_sku_list."""
    return "_".join(word.lower() for word in WORD.findall(name))


def pascal(name: str) -> str:
    """Spell a name as every language spells a type: loyalty-points is LoyaltyPoints, and area51b is Area51B."""
    capitalized = "".join(word[:1].upper() + word[1:] for word in WORD.findall(name))
    return SPELLED_DIFFERENTLY.sub(lambda found: found[0].upper(), capitalized)


def camel(name: str) -> str:
    """Spell a name as Java and TypeScript spell methods: GetProduct is getProduct."""
    return name[:1].lower() + name[1:]
