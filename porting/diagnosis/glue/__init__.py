"""The code between modules: the roles of the tensors at hand, and the relation of a wrong one to the right one."""
