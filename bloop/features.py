"""The one list of features. Everything in it is a name, `module:object`, so importing the list imports no feature."""

from __future__ import annotations

# What the kit of pages calls without knowing whose it is (`Hooks` in site/deps.py).
HOOKS = {
    "by_bearer": "bloop.projects.tokens.authenticate:find_by_bearer",
    "by_cookie": "bloop.accounts.sign_ins.authenticate:find_by_cookie",
    "shell": "bloop.issues.shell:read_shell",
    "banners": "bloop.health.views:banners_now",
    "show_key": "bloop.onboarding.views:show_key",
    "storage_panel": "bloop.backup.views:panel_of",
}
