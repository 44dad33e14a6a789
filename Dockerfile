# pollbench as one image: a server, a run, or a load host, by the command. docs/howto/distributed.md says how they meet.
FROM python:3.12-slim

# pip refuses any file whose hash is not in the lock; everything in it is a wheel, so nothing is compiled here.
COPY requirements.lock /opt/pollbench/
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes \
       -r /opt/pollbench/requirements.lock \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin pollbench \
    && install -d -o pollbench -g pollbench /work /work/runs

COPY pollbench.py /opt/pollbench/
COPY servers /opt/pollbench/servers
COPY loadtests /opt/pollbench/loadtests
COPY reports /opt/pollbench/reports

# The root may be read only: what is written goes to /work/runs and to /tmp.
ENV PYTHONPATH=/opt/pollbench PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib
USER 10001:10001
WORKDIR /work
VOLUME /work/runs
ENTRYPOINT ["/opt/venv/bin/python", "-P", "-m", "pollbench"]
CMD ["--help"]
