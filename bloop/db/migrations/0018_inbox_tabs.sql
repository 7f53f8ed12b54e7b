-- Tabs of the list that hold few of many issues are counted and read from the side of what makes them few.

CREATE INDEX issues_regressed ON issues (project_id) WHERE status = 'regressed';
CREATE INDEX issues_by_first_release ON issues (project_id, first_release);     -- never updated
