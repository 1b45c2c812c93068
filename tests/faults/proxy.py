"""Proxies between servers and the brokers of with_broker.sh: connections are cut, answers held back, everything delayed.
Python's standard library only."""
import glob
import os
import socket
import struct
import threading
import time

PRODUCE, SYNC_GROUP, CREATE_TOPICS, DELETE_TOPICS, INIT_PRODUCER, ADD_OFFSETS, END_TXN, COMMIT_OFFSETS, \
    DESCRIBE_CONFIGS = 0, 14, 19, 20, 22, 25, 26, 28, 32


def address(text):
    host, port = text.strip().rsplit(":", 1)
    return host, int(port)


class Proxy:
    """In front of one broker. Its faults are attributes, which may be set at any time:
    `delay` seconds before each piece goes on; `stalled`: nothing goes on until it is false again; `held`: answers to
    these requests (Kafka's numbers) wait until they are taken out; `lost`: instead of an answer to these the connection
    ends, though the broker has done what was asked; `refusing`: who connects is sent away."""

    def __init__(self, listen, behind):
        self.behind, self.delay, self.stalled, self.held = behind, 0.0, False, set()
        self.lost, self.lost_count, self.refusing = set(), 0, False
        self.lock, self.links, self.closed = threading.Lock(), set(), False
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(listen)
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                if self.refusing:
                    raise ConnectionRefusedError
                broker = socket.create_connection(self.behind, 5)
            except OSError:
                client.close()
                continue
            broker.settimeout(None)
            for end in (client, broker):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            asked = {}
            with self.lock:
                self.links.add((client, broker))
            threading.Thread(target=self.carry, args=(client, broker, asked, True), daemon=True).start()
            threading.Thread(target=self.carry, args=(broker, client, asked, False), daemon=True).start()

    def carry(self, source, target, asked, request):
        try:
            while True:
                size = self.read(source, 4)
                body = self.read(source, struct.unpack(">i", size)[0])
                if request:
                    key, _, number = struct.unpack(">hhi", body[:8])
                    asked[number] = key
                else:
                    key = asked.pop(struct.unpack(">i", body[:4])[0], None)
                if self.delay:
                    time.sleep(self.delay)
                while self.stalled or (not request and key in self.held):
                    time.sleep(0.01)
                if not request and key in self.lost:
                    self.lost_count += 1
                    break
                target.sendall(size + body)
        except (OSError, EOFError):
            pass
        self.close_link(source, target)

    @staticmethod
    def read(source, count):
        parts = bytearray()
        while len(parts) < count:
            piece = source.recv(min(count - len(parts), 1 << 18))
            if not piece:
                raise EOFError
            parts += piece
        return bytes(parts)

    def close_link(self, *ends):
        with self.lock:
            self.links = {link for link in self.links if not set(link) & set(ends)}
        for end in ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def cut(self):
        """Every connection that there is."""
        with self.lock:
            links = list(self.links)
        for link in links:
            self.close_link(*link)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # so that accept() lets go of the port
        self.listener.close()
        self.cut()


def in_front_of(directory):
    """A proxy for each broker in the directory of broker.sh, and the address for clients."""
    proxies = []
    for node in sorted(glob.glob(os.path.join(directory, "[0-9]*"))):
        with open(os.path.join(node, "proxy")) as proxy, open(os.path.join(node, "behind")) as behind:
            proxies.append(Proxy(address(proxy.read()), address(behind.read())))
    return proxies, ",".join("%s:%d" % proxy.listener.getsockname() for proxy in proxies)
