#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "parser/syntax/parse.h"
#include "planner/bind/binder.h"
#include "planner/bind/canonical.h"

namespace millrace {

/// A catalog that statements are bound against one after another, as a server would.
class BindSession {
 public:
  BindSession();

  /// Binds and applies one statement. Returns the plan of a query, or the schema of a created source.
  std::string run(const std::string& sql);
  /// `code at line:column: message` of the error that the statement must give; `no error` otherwise.
  std::string error(const std::string& sql);
  std::string canonical(const std::string& sql);
  BoundPull pull(const std::string& sql);
  /// The plan of a CREATE ... AS, which is not applied.
  NodePtr plan(const std::string& sql);
  BoundInsert insert(const std::string& sql);
  void set(const std::string& name, const std::string& value) { properties_[name] = value; }
  const SourceDef& source(const std::string& name) const { return *catalog_.sources.at(name); }

 private:
  struct Topics : TopicLookup {
    std::optional<TopicInfo> find_topic(const std::string& name) override;
    std::map<std::string, TopicInfo> known;
  };
  BindContext context();
  void apply(const SourceDef& source);

  Catalog catalog_;
  Topics topics_;
  PropertyMap properties_;
};

}  // namespace millrace
