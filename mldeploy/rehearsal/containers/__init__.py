"""What a stand-in starts for a task, a pod or a site: containers on the local engine, at addresses of their own."""
