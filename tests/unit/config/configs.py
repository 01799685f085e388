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
discovery:
  - name: from-files
    file_sd:
      files:
        - targets/*.json
        - more.yaml
    refresh: 5m
    limit: 50
    allow:
      - 169.254.7.0/24
    probe:
      name: file-{host}
      url: wss://{address}/rooms/{label.room}
      protocol: talo
      query:
        room: "{label.room}"
      ticket:
        url: https://{host}:8443/v1/socket-tickets
        api_key:
          env: WS_TEST_KEY
      labels:
        region: "{label.region}"
  - name: from-http
    http_sd:
      url: https://cmdb.example/targets?key=1
      basic_auth:
        username: monitor
        password:
          file: password
      headers:
        X-Team: payments
      tls:
        ca_file: ca.pem
    timeout: 5s
    probe:
      name: http-{host}-{port}
      url: ws://{address}
      protocol: text
      text:
        send: '{"room":"{label.room}","n":{id}}'
        expect: pong {id}
  - name: from-dns
    dns:
      names:
        - _ws._tcp.game.example
      type: A
      port: 8080
      nameserver: "127.0.0.1:53"
    probe:
      name: dns-{host}
      url: ws://{address}
      protocol: ping
discovery_deny:
  - 10.0.0.0/8
  - fe80::/10
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
