"""What scripts/crash plays and judges: load.py is the frame, writes.py, bank.py and lists.py the workloads."""
