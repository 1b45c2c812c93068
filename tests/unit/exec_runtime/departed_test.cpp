#include "exec/runtime/departed.h"

#include "tests/unit/exec_runtime/harness.h"

namespace millrace::runtime_test {
namespace {

using namespace std::chrono_literals;

/// A group whose members are what the test says.
class SaidGroup final : public Membership {
 public:
  Status join(const std::string&, Events) override { return {}; }
  Status poll(std::chrono::milliseconds) override { return {}; }
  Result<std::vector<std::string>> owners() override { return std::vector<std::string>(); }
  Result<std::vector<std::string>> members() override { return std::vector<std::string>(); }
  void leave() override {}
  Result<std::vector<std::string>> member_ids() override {
    const MutexLock lock(mutex_);
    ++asked_;
    return ids_;
  }
  void say(std::vector<std::string> ids) {
    const MutexLock lock(mutex_);
    ids_ = std::move(ids);
    asked_ = 0;
  }
  int asked() {
    const MutexLock lock(mutex_);
    return asked_;
  }

 private:
  Mutex mutex_;
  std::vector<std::string> ids_ GUARDED_BY(mutex_);
  int asked_ GUARDED_BY(mutex_) = 0;
};

class DepartedTest : public testing::Test {
 protected:
  void SetUp() override { bench_.create("out", 1); }

  /// The group changes, and everybody has looked at it.
  void members(DepartedProcesses& departed, std::vector<std::string> ids) {
    group_.say(std::move(ids));
    while (group_.asked() < 2) {  // the second look begins after the first has been acted on
      departed.look();
      std::this_thread::sleep_for(1ms);
    }
  }
  std::unique_ptr<Writer> open_writer(const std::string& name) {
    auto writer = std::move(*bench_.log->writer(name, nullptr));
    EXPECT_TRUE(writer->append(*writer->topic("out"), 0, "k", name, RecordTime{1}));
    return writer;
  }
  static bool fenced(Writer& writer) {
    const Status begun = writer.commit();
    if (!begun) return begun.error().fault == Fault::fenced;
    const auto state = writer.commit_state(5s);
    return state.outcome == Writer::Outcome::failed && state.error->fault == Fault::fenced;
  }

  Bench bench_{{}};
  SaidGroup group_;
};

TEST_F(DepartedTest, TransactionsOfOneThatIsGoneAreEnded) {
  const ProcessWriters theirs{"s_", "gone"}, others{"s_", "alive"};
  const auto first = open_writer(theirs.worker(0)), second = open_writer(theirs.worker(1)),
             loans = open_writer(theirs.loans()), statements = open_writer(theirs.statements()),
             alive = open_writer(others.worker(0));
  DepartedProcesses departed(*bench_.log, group_, "s_", member_id_of("own", 1), 1);
  members(departed, {member_id_of("gone", 2), member_id_of("own", 1), member_id_of("alive", 1)});
  members(departed, {member_id_of("own", 1), member_id_of("alive", 1)});
  for (Writer* writer : {first.get(), second.get(), loans.get(), statements.get()}) EXPECT_TRUE(fenced(*writer));
  EXPECT_FALSE(fenced(*alive));
}

TEST_F(DepartedTest, SoAreThoseOfWorkersForSeveralClusters) {
  const ProcessWriters theirs{"s_", "gone"};
  const auto first = open_writer(theirs.worker("eu,us", 0)), second = open_writer(theirs.worker("eu,us", 1)),
             nobody = open_writer(theirs.worker("eu,us", 2));
  DepartedProcesses departed(*bench_.log, group_, "s_", member_id_of("own", 1), 1, [] {
    return std::vector<std::string>{"", "eu,us"};
  });
  members(departed, {member_id_of("gone", 2), member_id_of("own", 1)});
  members(departed, {member_id_of("own", 1)});
  EXPECT_TRUE(fenced(*first) && fenced(*second));
  EXPECT_FALSE(fenced(*nobody));
}

TEST_F(DepartedTest, WhoeverIsNotInTheGroupEndsNothing) {
  const auto writer = open_writer(ProcessWriters{"s_", "gone"}.worker(0));
  DepartedProcesses departed(*bench_.log, group_, "s_", member_id_of("own", 1), 1);
  members(departed, {member_id_of("gone", 1), member_id_of("own", 1)});
  members(departed, {});
  EXPECT_FALSE(fenced(*writer));
}

TEST_F(DepartedTest, OneThatIsBackUnderAnotherIdKeepsItsWriters) {
  const auto writer = open_writer(ProcessWriters{"s_", "back"}.worker(0));
  DepartedProcesses departed(*bench_.log, group_, "s_", member_id_of("own", 1), 1);
  members(departed, {member_id_of("back", 1), member_id_of("own", 1)});
  members(departed, {member_id_of("back", 1), member_id_of("back", 4), member_id_of("own", 1)});
  members(departed, {member_id_of("back", 4), member_id_of("own", 1)});
  EXPECT_FALSE(fenced(*writer));
}

// Ids of earlier builds are those of processes alone.
TEST_F(DepartedTest, OneThatDoesNotTellHasAsManyWorkersAsThisOne) {
  const auto first = open_writer(ProcessWriters{"s_", "old.x"}.worker(0)),
             third = open_writer(ProcessWriters{"s_", "old.x"}.worker(2));
  DepartedProcesses departed(*bench_.log, group_, "s_", member_id_of("own", 2), 2);
  members(departed, {"old.x", member_id_of("own", 2)});
  members(departed, {member_id_of("own", 2)});
  EXPECT_TRUE(fenced(*first));
  EXPECT_FALSE(fenced(*third));
}

}  // namespace
}  // namespace millrace::runtime_test
