"""How the app is started today: Dockerfiles, Compose files, Procfiles, scripts, and the commands in them."""
