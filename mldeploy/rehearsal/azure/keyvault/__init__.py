"""Azure Key Vault: vaults, and the secrets in them at each vault's own address."""
