// The workloads of the benchmark written by hand on librdkafka and simdjson, with no engine around them: what an engine
// on the same libraries cannot beat and should come close to. At least once, without changelogs.
//
//   bound w1|w2|w3|w5|read BROKER IN OUT EVENTS [AUCTIONS ROWS]
//
// Prints one line of JSON. OUT is created and, in the end, deleted. Time and processor count from the first record.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/bound/workloads.h"

namespace {

struct Usage {
  double cpu_seconds, peak_rss_mb;
};
Usage usage() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return {seconds(used.ru_utime) + seconds(used.ru_stime), static_cast<double>(used.ru_maxrss) / 1024};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6 && argc != 8) bound::die("usage: bound w1|w2|w3|w5|read BROKER IN OUT EVENTS [AUCTIONS ROWS]");
  const std::string name = argv[1], broker = argv[2], in = argv[3], out = argv[4];
  const std::int64_t events = std::atoll(argv[5]);
  bound::Table table;
  if (argc == 8) table = {argv[6], std::atoll(argv[7])};
  bound::create_topic(broker, out);
  {
    bound::Output output(broker, out);
    const auto loop = bound::make_loop(name, broker, table);
    if (!loop) bound::die("unknown workload " + name);
    bound::Input input(broker, in);
    auto began = std::chrono::steady_clock::now();
    double before = 0;
    const auto first = [&] {
      began = std::chrono::steady_clock::now();
      before = usage().cpu_seconds;
    };
    loop->run(input, events, first, output);
    output.flush();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
    const auto [cpu, rss] = usage();
    const auto count = static_cast<double>(events);
    std::printf(
        R"({"engine":"bound","workload":"%s","events":%lld,"rows_out":%lld,"seconds":%.3f,"events_per_second":%.0f,)"
        R"("cpu_seconds_per_million":%.3f,"peak_rss_mb":%.1f})"
        "\n",
        name.c_str(), static_cast<long long>(events), static_cast<long long>(output.records()), seconds.count(),
        count / seconds.count(), (cpu - before) * 1e6 / count, rss);
  }
  bound::delete_topic(broker, out);
}
