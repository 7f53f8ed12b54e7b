-- What becomes of a project's events that are too long: refused with the name of the field, or cut and stored.

ALTER TABLE projects ADD COLUMN oversize TEXT NOT NULL DEFAULT 'reject' CHECK (oversize IN ('reject', 'trim'));
