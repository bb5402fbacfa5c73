# syntax=docker/dockerfile:1
# The image of the bot: one binary, its own user, nothing to write to but /data.
#
#   docker build --tag depot-bot .

FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
# Without the demo and its simulator of Telegram; with everything optimised as one piece.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --profile dist --no-default-features --locked \
    && install -D target/dist/depot-bot /image/depot-bot \
    && install -d /image/data

FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="depot-bot" \
      org.opencontainers.image.description="A Telegram bot that records the deposits of a reuse centre" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /image/depot-bot /depot-bot
COPY --from=build --chown=10001:10001 /image/data /data

# Inside a container no client reaches the loopback; the published ports are decided outside.
ENV HTTP_BIND=0.0.0.0:8080 \
    WEBHOOK_BIND=0.0.0.0:8443 \
    DATABASE_URL=sqlite:///data/depot.db

USER 10001:10001
VOLUME /data
EXPOSE 8080 8443
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/depot-bot", "healthcheck"]
ENTRYPOINT ["/depot-bot"]
CMD ["run"]
