"""From a contract to a service: its folder in any language that has a template, and the methods of RPCs that are new.

    contract.py    what a contract says, and whether it lints
    starter.py     the contract of a service that has none yet
    template.py    what a language's folder kits/<language>/template holds, and how names are put into it
    service.py     the steps: refuse, write, bring up to date

Prints nothing. A file that is there is never written again, but for methods that are added to an adapter.
"""

from gossamer_mesh.scaffold.service import Made, new, update

__all__ = ["Made", "new", "update"]
