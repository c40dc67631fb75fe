# syntax=docker/dockerfile:1
#   docker build -t event-stream-engine .

FROM rust:1.95-slim-trixie AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates make nodejs npm \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The caches outlive the build: wasm-bindgen and the dependencies are compiled once.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    make build && cp target/release/event-stream-engine /usr/local/bin/

FROM debian:trixie-slim
# Certificates for calls to Twilio, curl for the health check.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/event-stream-engine --create-home engine
COPY --from=build /usr/local/bin/event-stream-engine /usr/local/bin/
USER engine
# The embedded database and the generated key live in ./data when no other database is given.
WORKDIR /var/lib/event-stream-engine
RUN mkdir data
VOLUME /var/lib/event-stream-engine/data
ENV BIND_ADDR=0.0.0.0:3000 LOG_FORMAT=json
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:3000/readyz"]
ENTRYPOINT ["event-stream-engine"]
CMD ["serve"]
