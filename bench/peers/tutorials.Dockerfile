# What the tutorials do by hand: everything added first, then installed, then Flask's own server, as root.
ARG BASE
FROM ${BASE}
ADD . /app
WORKDIR /app
RUN pip install -r requirements.txt
EXPOSE 5000
CMD ["python", "app.py"]
