"""Faults in a real bloop under load, one after the other and together: `make chaos`, docs/load-and-chaos.md.

faults.py, damage.py, crowd.py, disk.py, skew.py    what can go wrong, each a context manager: on entering it begins,
                                                    on leaving it is lifted
kills.py                                            SIGKILL and SIGSTOP, shared with the kill test
accounts.py                                         what clients were told against what is stored; pure
trial.py, plan.py, table.py                         one bloop and its faults; which trials; what is printed
"""
