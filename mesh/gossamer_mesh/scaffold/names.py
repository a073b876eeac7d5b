"""How one name is spelled in different places: `loyalty-points`, `loyalty_points`, `loyaltyPoints`, `LoyaltyPoints`."""

import re

WORD = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z0-9]+|[0-9]+")


def snake(name: str) -> str:
    """Spell a name in lower case, its words joined by underscores: GetSKUList is get_sku_list."""
    return "_".join(word.lower() for word in WORD.findall(name))


def pascal(name: str) -> str:
    """Spell a name with every word capitalized: loyalty-points is LoyaltyPoints."""
    return "".join(word[:1].upper() + word[1:] for word in WORD.findall(name))


def camel(name: str) -> str:
    """Spell a name as Java and TypeScript spell methods: GetProduct is getProduct."""
    return name[:1].lower() + name[1:]
