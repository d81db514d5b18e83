"""The CPU fast path: C kernels inside tinygrad's captured step.

native.py loads them, ops.py makes them tensor functions, replay.py runs a captured step through at once.

Only the CPU device uses it, and KERNELS=0 turns it off; then, and on every other device, tinygrad generates the code.
"""
