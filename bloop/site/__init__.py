"""The kit that pages and API are built from: routes, access check, errors, rendering, charts, paging."""
