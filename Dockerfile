# Plenum in a small image: built with the whole toolchain, run without it, as a user of its own.
FROM rust:1.95-bookworm AS build
WORKDIR /plenum
COPY . .
# The caches stay with the builder; the binary leaves them in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/plenum/target \
    cargo build --release --locked --package server \
    && cp target/release/plenum /usr/local/bin/plenum

FROM debian:bookworm-slim
RUN useradd --system --uid 7882 --no-create-home plenum \
    && install --directory --owner plenum --group plenum /data
COPY --from=build /usr/local/bin/plenum /usr/local/bin/plenum
COPY config/plenum.toml /etc/plenum/plenum.toml.reference
USER plenum
# Any address: without API keys Plenum refuses to start so, and says how to make one.
ENV PLENUM_HTTP=0.0.0.0:8080 \
    PLENUM_DATA_DIR=/data \
    PLENUM_LOG_FORMAT=json
VOLUME /data
EXPOSE 8080/tcp 7882-7883/udp
# The image has no HTTP client, and needs none for one line.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD [ "bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /livez HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '" ]
STOPSIGNAL SIGTERM
ENTRYPOINT ["plenum"]
