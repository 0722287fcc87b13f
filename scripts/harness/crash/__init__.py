"""What scripts/crash plays and judges: load.py is the frame; writes.py, bank.py, lists.py and sweeps.py the workloads."""
