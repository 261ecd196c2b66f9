# The demo: docker build -t looped . && docker run --rm -p 8501:8501 looped
FROM python:3.11-slim

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONUNBUFFERED=1

# What is needed changes less often than the package: a layer of its own. torch is the build for CPUs.
WORKDIR /build
COPY requirements.txt .
RUN pip install "$(grep '^torch==' requirements.txt)" --index-url https://download.pytorch.org/whl/cpu \
    && grep -v '^-e' requirements.txt > needed.txt \
    && pip install -r needed.txt

COPY . .
RUN pip install --no-deps . && rm -rf /build

RUN useradd --create-home --uid 1000 looped
USER looped
WORKDIR /home/looped

EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://localhost:8501/_stcore/health', timeout=4)"]
CMD ["looped", "app", "--", "--server.address=0.0.0.0", "--server.port=8501"]
