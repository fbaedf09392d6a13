"""What asks for access keys in the proxy of an app that has a server of its own. Only such a proxy has it."""
