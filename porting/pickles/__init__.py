"""What a pickle describes, found out without unpickling it: no name in it is looked up and nothing is called.

Only the standard library is imported, so that a child process with small limits starts in no time: ``machine``
interprets the opcodes, ``standins`` says what the few calls that ``torch.save`` writes mean, ``catalogue`` finds the
state dict, and ``child`` is the program. The exception is ``trusted``, the program for a pickle that may run its code.
"""
