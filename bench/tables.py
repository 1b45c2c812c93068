"""Results of bench/run.py as Markdown tables."""

NAMES = {"bound": "bound", "millrace": "Millrace", "kstreams": "Kafka Streams", "flink": "Flink"}
CPU = "cpu_seconds_per_million"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def by_log(results):
    ours = sorted((r for r in results if r["engine"] == "millrace"), key=lambda r: (r["workload"], r["log"]))
    return table(["workload", "log", "events/s", "CPU s per million", "peak RSS MB"],
                 [[r["workload"], r["log"], format(int(r["events_per_second"]), ","), "%.2f" % r[CPU],
                   "%.0f" % r["peak_rss_mb"]] for r in ours])


class Kafka:
    """What ran on the broker, by engine and workload."""

    def __init__(self, results):
        self.results = {(r["engine"], r["workload"]): r for r in results if r["log"] == "kafka"}
        self.engines = [e for e in NAMES if any(e == engine for engine, _ in self.results)]
        self.workloads = sorted({workload for _, workload in self.results})

    def figure(self, engine, workload, field):
        """The bound of w4 is the processor time of its two halves, w1 and w3."""
        if (engine, workload) in self.results:
            return self.results[engine, workload][field]
        halves = [self.results.get((engine, w)) for w in ("w1", "w3")]
        if engine == "bound" and workload == "w4" and field == CPU and all(halves):
            return sum(h[field] for h in halves)
        return None

    def ratio(self, workload, engine, field=CPU):
        """Of Millrace to the bound; of a peer to Millrace."""
        ours, other = self.figure("millrace", workload, field), self.figure(engine, workload, field)
        if not ours or not other:
            return "–"
        return "%.2f" % (ours / other) if engine == "bound" else "%.1f" % (other / ours)

    def shown(self, form, field):
        def text(engine, workload):
            value = self.figure(engine, workload, field)
            return "–" if value is None else form(value)
        return table([""] + [NAMES[e] for e in self.engines],
                     [[w] + [text(e, w) for e in self.engines] for w in self.workloads])

    def ratios(self):
        others = [e for e in self.engines if e != "millrace"]
        head = [""] + [("Millrace / " + NAMES[e]) if e == "bound" else NAMES[e] + " / Millrace" for e in others]
        return table(head, [[w] + [self.ratio(w, e) for e in others] for w in self.workloads])


def all_of(document):
    results = document["results"]
    parts = ["%s; %s" % (document["machine"], document["date"]), by_log(results)]
    kafka = Kafka(results)
    if len(kafka.engines) > 1:
        parts += ["Kafka, CPU seconds per million events:", kafka.shown(lambda v: "%.2f" % v, CPU),
                  "Kafka, ratios of CPU seconds:", kafka.ratios(),
                  "Kafka, thousand events a second:",
                  kafka.shown(lambda v: "%.0f" % (v / 1000), "events_per_second"),
                  "Kafka, peak RSS in MB:", kafka.shown(lambda v: "%.0f" % v, "peak_rss_mb")]
    return "\n\n".join(parts)
