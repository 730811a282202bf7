"""What connects to other systems, for every provider: addresses and TLS, HTTP, kept connections, credentials.

`http_client` is one shared session for each integration, `multiplexed` one kept connection for many questions,
`headers` what an answer's headers say, `credential` the port of what proves who we are. Every failure leaves as a
`ProviderError`. May import the core, the errors, `settings/` and `storage/`; no provider. Add here what a second
provider needs.
"""
