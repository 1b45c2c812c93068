#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cli/testing/record_spec.h"
#include "exec/formats/schema_registrar.h"
#include "exec/functions/builtin.h"
#include "exec/schemas/local_registry.h"
#include "exec/schemas/schema_cache.h"
#include "parser/ast/statement.h"
#include "parser/syntax/parse.h"
#include "planner/bind/binder.h"
#include "planner/bind/change_rows.h"
#include "planner/physical/plan.h"
#include "planner/query/plan_query.h"

namespace millrace::harness {

/// As upstream's harness names its service.
constexpr std::string_view kServiceId = "some.ksql.service.id";

struct PersistentQuery {
  std::string sink;  // name; empty for a source table
  std::string sink_topic;
  std::vector<std::string> sources;  // names
  std::set<std::string> source_topics;
  std::shared_ptr<const PhysicalPlan> plan;  // null for a source table
  bool moves_rows = false;                   // some internal repartition topic
};

/// What a test has built up so far: the catalog, the topics and the queries, in the order of their creation. Statements
/// are planned and applied one after another; nothing runs here.
class Session : public TopicLookup {
 public:
  /// Properties as a client names them, over the defaults of tests: every change emitted, streams read from the
  /// earliest record. `rules_off` as for rewrite(). `functions` must outlive the session.
  Session(const PropertyMap& properties, std::set<std::string> rules_off,
          const FunctionCatalog& functions = builtin_functions());

  /// A topic that exists beforehand; the first declaration of a name wins.
  void declare_topic(const std::string& name, TopicInfo info) { topics_.emplace(name, info); }
  /// From now on queries share what they can with others, which do not run.
  void share() { shares_ = true; }
  /// Declares the topic of every CREATE with a column list, with `partitions` where the statement names no number.
  void declare_topics_of(const std::vector<ast::StatementPtr>& statements, int partitions);
  /// Registers what a CREATE with a column list would, if the statement is good.
  void declare_schemas_of(const ast::CreateSource& statement);
  /// Plans and applies one statement. Throws SqlError.
  void apply(const ast::StatementPtr& statement);

  /// Plans a push query. Throws SqlError.
  std::shared_ptr<const PhysicalPlan> plan_push(const ast::Query& query);

  /// Plans a pull query: over the table that a query keeps, or over a topic. Throws SqlError.
  struct Pull {
    std::shared_ptr<const PhysicalPlan> table;
    TopicPullPlan topic;  // when `table` is null
    FinitePlan finite;    // when it has a plan
  };
  Pull plan_pull(const ast::Query& query);
  /// Gives the plan that keeps a table that no query keeps, once it has what the topic holds; null: the topic is read.
  using KeepTable = std::function<std::shared_ptr<const PhysicalPlan>(const SourcePtr&)>;
  void keep_tables_by(KeepTable keep) { keep_table_ = std::move(keep); }
  /// What keeps it, under that id.
  std::shared_ptr<const PhysicalPlan> plan_kept(const SourceDef& source, const std::string& id);
  Pull plan_pull(const BoundPull& bound);
  Pull plan_pull(const BoundFinite& bound);
  TopicPullPlan plan_topic(const BoundPull& bound);
  /// UPSERT, UPDATE, DELETE or INSERT ... ONCE, bound; absent for another statement. Throws SqlError.
  std::optional<BoundChange> bind_change(const ast::Statement& statement);
  /// Keeps what a change writes among `records()`.
  void write(const BoundChange& change, const std::vector<RowChange>& rows);

  std::optional<TopicInfo> find_topic(const std::string& name) override;

  /// As SET left it.
  Dialect dialect() const;
  const Catalog& catalog() const { return catalog_; }
  const std::vector<PersistentQuery>& queries() const { return queries_; }
  /// The first source declared over a topic; null when there is none.
  SourcePtr source_on(const std::string& topic) const;
  std::map<std::string, std::vector<StoredRecord>>& records() { return records_; }
  const std::map<std::string, TopicInfo>& topics() const { return topics_; }
  LocalRegistry& registry() { return *registry_; }
  const std::shared_ptr<SchemaCache>& schemas() const { return schemas_; }

 private:
  void apply(const ast::CreateSource& statement);
  void apply(const ast::CreateAs& statement);
  void apply(const ast::InsertSelect& statement);
  void apply(const ast::InsertBranches& statement);
  void apply(const ast::Select& statement);
  void apply(const ast::SetProperty& statement);
  void apply(const ast::InsertValues& statement);
  void apply(const ast::AlterSource& statement);
  void apply(const ast::DropSource& statement);
  void apply(const ast::CreateFunction& statement);
  void apply(const ast::DropFunction& statement);
  void apply(const ast::CreateType& statement);
  void apply(const ast::CreateView& statement);
  void apply(const ast::DropView& statement);
  void apply(const ast::CreateIndex& statement);
  void apply(const ast::DropIndex& statement);
  void change_indexes(const std::string& table, const std::function<void(std::vector<TableIndex>&)>& change);
  void apply(const ast::DropType& statement);
  void add_source(SourceDef source);
  /// The query of a CREATE ... AS SELECT; end when there is none.
  std::vector<PersistentQuery>::iterator query_into(const std::string& sink);
  void add_late_streams(const BoundQuery& bound);
  void add_query(BoundQuery bound, const std::string& query_id, bool replace);
  BindContext context();
  PlanContext pull_context() const;
  std::shared_ptr<const PhysicalPlan> keeper_of(const SourcePtr& source) const;
  KeepTable keep_table_;
  void keep(const SourceDef& target, std::span<const Value> row, bool removed, std::optional<std::int64_t> time);
  const std::set<std::string> rules_off_;
  const FunctionCatalog& functions_;
  std::shared_ptr<LocalRegistry> registry_ = std::make_shared<LocalRegistry>();
  std::shared_ptr<SchemaCache> schemas_ = std::make_shared<SchemaCache>(registry_);
  SchemaRegistrar registrar_{*registry_, SchemaRegistrar::Mode::real};
  PropertyMap properties_;
  Catalog catalog_;
  std::vector<SourcePtr> declared_;  // in order of creation, dropped ones included
  std::map<std::string, TopicInfo> topics_;
  std::map<std::string, std::vector<StoredRecord>> records_;
  std::vector<PersistentQuery> queries_;
  int next_query_ = 0;
  bool shares_ = false;
};

}  // namespace millrace::harness
