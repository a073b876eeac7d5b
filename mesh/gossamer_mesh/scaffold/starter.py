"""The contract that a service begins with when it has none: one call that changes nothing."""

import keyword
from string import Template

from gossamer_mesh.scaffold import names

CONTEXT = "shop"
"""The folder of protos/ that services' contracts lie in, and the first part of their packages."""
JAVA = """
abstract assert boolean break byte case catch char class const continue default do double else enum extends final
finally float for goto if implements import instanceof int interface long native new package private protected public
return short static strictfp super switch synchronized this throw throws transient try void volatile while
true false null
"""
"""Words that no package can have for a name in Java; keyword.kwlist has Python's. Other languages have a way out."""

TEXT = Template("""\
// The contract of $name: begin with what it is for.
syntax = "proto3";

package $package;

import "buf/validate/validate.proto";

// The $name service: say here what it does.
service ${type}Service {
  // Gets what there is under one id.
  rpc Get$type(Get${type}Request) returns (Get${type}Response) {
    option idempotency_level = NO_SIDE_EFFECTS;
  }
}

// Asks for one id.
message Get${type}Request {
  // The id, for example "ada".
  string id = 1 [(buf.validate.field).string = {
    min_len: 1
    max_len: 64
  }];
}

// What there is.
message Get${type}Response {
  // The id that was asked for.
  string id = 1;
}
""")


def module(name: str) -> str:
    """Spell a service's name as packages and modules are spelled."""
    return name.replace("-", "_")


def path(name: str) -> str:
    """Give where the contract of a service lies in protos/."""
    return f"{CONTEXT}/{module(name)}/v1/{module(name)}.proto"


def is_usable(name: str) -> bool:
    """Tell whether the package of a service's contract can be used in every language."""
    return module(name) not in (*keyword.kwlist, *JAVA.split())


def text(name: str) -> str:
    """Write the contract of a service."""
    package = f"{CONTEXT}.{module(name)}.v1"
    return TEXT.substitute(name=name, package=package, type=names.pascal(name))


def attempt(name: str) -> tuple[str, str]:
    """Give a call of the starter contract that is answered: the method in full, and the request as JSON."""
    type_ = names.pascal(name)
    return f"{CONTEXT}.{module(name)}.v1.{type_}Service/Get{type_}", '{"id": "ada"}'
