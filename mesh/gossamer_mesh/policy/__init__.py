"""Decides what the clients of each service are told. Pure: values in, values out; no Consul, no protobuf of xDS."""

from gossamer_mesh.policy.contracts import Contracts, ContractsError
from gossamer_mesh.policy.plans import Planned, Refusal, plan

__all__ = ["Contracts", "ContractsError", "Planned", "Refusal", "plan"]
