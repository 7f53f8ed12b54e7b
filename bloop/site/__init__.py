"""The building blocks of pages and API: routes, access check, errors, rendering, charts, paging."""
