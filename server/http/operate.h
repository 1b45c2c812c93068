#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "server/http/handlers.h"

/// What operators ask of a server: tasks, log level, backups, and the log of slow requests.
namespace millrace::inline server {

/// debug, info, warn or error; false for anything else.
bool set_log_level(std::string_view level);

/// `GET /debug/tasks`, `GET` and `POST /debug/log-level`, `POST /backup`. Privilege CONFIGURE.
void debug_tasks(const HttpRequest& request, const std::shared_ptr<Responder>& exchange, const HandlerContext& context);
void show_log_level(const HttpRequest& request, const std::shared_ptr<Responder>& exchange,
                    const HandlerContext& context);
void change_log_level(const HttpRequest& request, const std::shared_ptr<Responder>& exchange,
                      const HandlerContext& context);
void back_up(const HttpRequest& request, const std::shared_ptr<Responder>& exchange, const HandlerContext& context);

void answer_error(const std::shared_ptr<Responder>& exchange, const ServiceError& error,
                  const Responder::Headers& headers = {});
void answer_error(const std::shared_ptr<Responder>& exchange, int code, std::string message,
                  const Responder::Headers& headers = {});
/// For what concerns the server as a whole. False after a 403.
bool may_configure(const HttpRequest& request, const std::shared_ptr<Responder>& exchange,
                   const HandlerContext& context);

/// What a user did or was refused, for the audit stream. `error` null: done.
void audit(const HttpRequest& request, Service& service, std::string_view action, std::string_view statement,
           const ServiceError* error);

}  // namespace millrace::inline server
