"""Decides what the clients of each service are told. Pure: values in, values out; no Consul, no protobuf of xDS."""

from gossamer_mesh.policy.audiences import Audiences
from gossamer_mesh.policy.contracts import Contracts, ContractsError
from gossamer_mesh.policy.plans import Planned, plan
from gossamer_mesh.policy.refusals import Refusal
from gossamer_mesh.policy.shapes import Shape

__all__ = ["Audiences", "Contracts", "ContractsError", "Planned", "Refusal", "Shape", "plan"]
