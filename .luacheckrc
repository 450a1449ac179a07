-- Scripts of Redis: scripts/lint_lua.py hands them over as Redis gets them. Comments are gone and long lines kept by
-- .editorconfig, so lines are not measured here.
std = "lua51"
read_globals = { "redis", "cjson", "cmsgpack", "KEYS", "ARGV" }
max_line_length = false
ignore = { "6.." }
