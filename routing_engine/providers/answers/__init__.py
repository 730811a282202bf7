"""Answers of other systems, read into records: for every provider whose system answers with values or JSON.

`values` turns JSON and cells into what a field may hold, `path` says where in an answer something lies, `records`
makes records of it, `outcome` says what a status of HTTP means and which error follows. Nothing here connects to
anything: that is `net/`. May import the core, the errors and `settings/`. To add a form of answer, add it to
`records`.
"""
