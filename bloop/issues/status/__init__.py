"""The life of an issue: statuses, mutes, regressions, assignment, and the audit trail of all of it."""
