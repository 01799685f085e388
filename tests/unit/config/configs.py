"""Configs that several tests here start from."""

from monitor.config import ProbeConfig, parse_config

FULL = """\
web:
  listen: "127.0.0.1:10440"
log:
  level: debug
  format: json
labels:
  vantage: eu-west
connect:
  max_concurrent: 8
  per_second: 2.5
ticket_budget:
  per_minute: 6
metrics:
  rtt_buckets:
    - 1ms
    - 1s
  close_codes:
    - 4000
    - 4001
  detail: basic
embedded_target:
  listen: "[::1]:10441"
  control: "localhost:10442"
  api_key:
    env: WS_TEST_KEY
defaults:
  missed_threshold: 5
  reconnect:
    base: 2s
    max: 30s
    stable_after: 1m
probes:
  - name: talo
    url: wss://Game.example/socket?room=1
    protocol: talo
    query:
      key:
        env: WS_TEST_KEY
      plain: a b
    ticket:
      url: https://tickets.example/v1/socket-tickets
      api_key:
        file: talo-key
    heartbeat:
      interval: 20s
      timeout: 8s
    ping:
      interval: 5s
      timeout: 6s
    timeouts:
      ticket: 1s
      dns: 2s
      tcp: 3s
      tls: 4s
      upgrade: 5s
      ready: 6s
      close: 7s
    tls:
      ca_file: ca.pem
      cert_file: client.pem
      key_file: client.key
      server_name: game.example
      verify: false
      min_version: "1.3"
    headers:
      X-Team: payments
      Authorization:
        env: WS_TEST_KEY
    subprotocols:
      - v2
      - v1
    origin: https://game.example
    user_agent: me/1
    ip_version: 4
    compression: deflate
    max_message_size: 64KiB
    labels:
      team: payments
  - name: text
    url:
      env: WS_TEST_URL
    protocol: text
    text:
      send: ping {id}
      expect: pong {id}
  - name: binary
    url: ws://[::1]:8080/
    protocol: text
    text:
      send:
        hex: 0c00
      expect:
        base64: DA==
  - name: frames
    url: ws://h.example
    protocol: ping
"""


def only_probe(text: str, before: str = "") -> ProbeConfig:
    """The one probe of a config, from the inside of its flow mapping."""
    (probe,) = parse_config(f"{before}\nprobes: [{{{text}}}]", "c.yaml").probes
    return probe
