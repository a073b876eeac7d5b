"""What tests start for real: Consul, the control plane, and whatever else a mesh is made of. On free ports only."""
