"""The target `dockerhub`. Docker Hub's API: https://docs.docker.com/reference/api/hub/latest/"""
