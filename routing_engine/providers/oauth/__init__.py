"""OAuth2, for every provider: what a vendor wants, what an operator gives, and tokens that are kept and renewed.

`plan` and `settings` read both parts from YAML, `client` asks the vendor, `tokens` keeps what came, encrypted,
`refresh` renews it and is the credential that requests are built with, `login` is the part that needs a person. May
import `net/` and `answers/`. Another grant is a line in `settings.GRANTS` and a form in `client.form_of`.
"""
