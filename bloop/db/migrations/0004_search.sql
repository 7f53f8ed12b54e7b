-- Search over issues: every three characters of type, message, route and place, so that any part of them is found.
-- Without the text itself (content=''): the rows of `issues` have it. storage/search.py keeps it; triggers would make
-- FTS5 write a segment for every row, at ten times the cost.

CREATE VIRTUAL TABLE issue_search USING fts5 (
    text, content = '', contentless_delete = 1, tokenize = 'trigram'
);

INSERT INTO issue_search (rowid, text)
SELECT id, error_type || ': ' || substr(message, 1, 500) || char(10) || coalesce(substr(route, 1, 200), '')
           || char(10) || coalesce(substr(culprit, 1, 200), '')
  FROM issues;

-- What is rare is found by these; what is common is met soon enough on the way through any list.
CREATE INDEX aggregates_by_environment ON aggregates (project_id, environment);
CREATE INDEX issues_by_level ON issues (project_id, level);
