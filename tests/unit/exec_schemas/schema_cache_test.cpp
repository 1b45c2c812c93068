#include "exec/schemas/schema_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "exec/schemas/local_registry.h"

namespace millrace {
namespace {

using State = SchemaCache::State;

/// A registry that has to be asked, and knows one schema.
class FarRegistry final : public SchemaRegistry {
 public:
  explicit FarRegistry(std::int32_t known) : known_(known) {}

  bool local() const override { return false; }
  Result<std::optional<SchemaSource>> find(std::int32_t id) override {
    if (id != known_) return std::optional<SchemaSource>();
    ++asked;
    return std::optional(SchemaSource{SchemaKind::avro, R"("int")", {}});
  }
  Result<std::optional<SubjectVersion>> find(const std::string&, int) override { return std::nullopt; }
  Result<std::vector<std::string>> subjects() override { return std::vector<std::string>(); }
  Result<std::vector<int>> versions(const std::string&) override { return std::vector<int>(); }
  Result<std::int32_t> add(const std::string&, const SchemaSource&) override { return known_; }
  Result<std::optional<std::string>> refusal(const std::string&, const SchemaSource&) override { return std::nullopt; }
  Result<bool> remove(const std::string&) override { return false; }

  std::atomic<int> asked = 0;

 private:
  const std::int32_t known_;
};

State settled(SchemaCache& cache, std::int32_t id) {
  for (int i = 0; i < 10'000; ++i) {
    if (const State state = cache.find(id).state; state != State::pending) return state;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return State::pending;
}

TEST(SchemaCache, ForgetsForIdsThatBadRecordsNameToo) {
  auto registry = std::make_shared<FarRegistry>(7);
  SchemaCache cache(registry, 2);
  EXPECT_EQ(settled(cache, 7), State::ready);
  EXPECT_EQ(settled(cache, 7), State::ready);
  EXPECT_EQ(registry->asked, 1);
  for (std::int32_t id = 100; id < 104; ++id) EXPECT_EQ(settled(cache, id), State::unknown);
  EXPECT_EQ(settled(cache, 7), State::ready);
  EXPECT_EQ(registry->asked, 2) << "it was kept beside what came later, above the limit";
}

}  // namespace
}  // namespace millrace
