"""The control plane as a process: `python -m gossamer_mesh.control`. Joins the rooms, and answers about itself."""
