"""Faults in a real bloop under load, one after the other and together: `make chaos`, docs/load-and-chaos.md.

faults.py, damage.py, crowd.py, disk.py, skew.py    faults, each a context manager: entering it injects the fault,
                                                    leaving it lifts the fault
kills.py                                            SIGKILL and SIGSTOP, shared with the kill test
accounts.py                                         compares answers with stored events; pure
trial.py, plan.py, table.py                         one bloop and its faults; the order of trials; the output
"""
