"""Each directive of the rendered configuration, and the tests of this folder that fail without it."""

from __future__ import annotations

from typing import Final

_TURN = "test_a_device_speaks_and_is_answered"
_WEIGHTS = "test_requests_are_shared_three_to_two"
_TOKEN = "test_through_nginx_a_device_of_the_house_needs_its_token"
_STATUS = "test_the_status_of_nginx_is_for_this_host_only"
_ALIVE = "test_nginx_says_that_it_lives_with_all_fronts_dead"
_TOLD = "test_over_tls_a_device_is_told_wss_and_answered"
_TLS = "test_tls_is_new_enough_and_remembers_devices"
_KEPT = "test_connections_to_the_fronts_are_kept_for_a_hundred_requests_each"
_AT_ONCE = "test_what_an_instance_says_is_passed_on_at_once"
_BACKUP = "test_a_backup_is_asked_only_where_the_local_one_fails"
_REMOTE = "test_a_remote_service_stands_in_under_its_own_name_and_path"
_VOICE = "test_a_built_in_voice_is_asked_once_for_the_same_words"
_EMPTIED = "test_the_cache_is_emptied_for_the_tuner_and_read_by_nobody"
_NOT_A_KEY = "test_a_body_that_nginx_could_not_keep_in_memory_is_never_a_key"
_STRANGER = "test_who_shows_another_certificate_gets_nothing"
_FOLDER = "test_only_the_users_own_folder_is_written"
_PACKED = "test_pages_are_compressed_and_short_answers_are_not"
_ROOM = "test_there_is_room_for_all_devices_of_two_fronts"
_LOGGED = "test_the_log_says_how_long_each_part_took_and_no_token"
_CONSOLE = "test_the_console_is_below_its_path_and_asks_for_the_password"
_NO_CONSOLE = "test_nginx_serves_while_the_console_has_no_address"
_SECOND_FRONT = "test_a_failure_of_one_front_is_answered_by_the_other"

PROOFS: Final[dict[str, tuple[str, ...]]] = {
    # the process
    "user": ("test_nobody_serves_as_root",),
    "worker_processes": ("test_each_core_has_a_process",),
    "worker_rlimit_nofile": (_ROOM,),
    "worker_connections": (_ROOM,),
    "pid": (_FOLDER,),
    "error_log": (_FOLDER,),
    "client_body_temp_path": (_FOLDER,),
    "proxy_temp_path": (_FOLDER,),
    "fastcgi_temp_path": (_FOLDER,),
    "uwsgi_temp_path": (_FOLDER,),
    "scgi_temp_path": (_FOLDER,),
    "default_type": (_ALIVE,),
    "server_tokens": (_ALIVE,),
    "log_format": (_LOGGED,),
    "access_log": (_LOGGED, _ALIVE),
    # blocks: what stands in them would not work without
    "events": (_TURN,),
    "http": (_TURN,),
    "server": (_TURN, _WEIGHTS),
    "location": (_TURN, _STATUS),
    "upstream": (_WEIGHTS,),
    "include": (_TURN, _TOLD, "test_a_key_in_a_file_of_root_replaces_that_of_the_caller"),
    "listen": (_TURN, _TOLD),
    # choice
    "zone": (_WEIGHTS,),
    "least_conn": ("test_a_busy_front_gets_less", _WEIGHTS),
    "hash": ("test_a_device_comes_back_to_its_front", "test_a_dialogue_stays_with_its_instance"),
    "map": (
        _TURN,
        "test_a_device_comes_back_to_its_front",
        "test_who_has_no_name_goes_anywhere",
        "test_who_names_no_dialogue_stays_by_his_address",
        _NOT_A_KEY,
    ),
    "keepalive": (_KEPT, "test_no_more_connections_are_kept_than_the_yaml_says"),
    "keepalive_requests": (_KEPT,),
    "keepalive_timeout": ("test_an_idle_connection_is_closed_after_the_time_of_the_yaml",),
    # limits
    "client_header_timeout": ("test_who_is_slow_with_his_headers_is_cut_off",),
    "client_body_timeout": ("test_who_is_slow_with_his_body_is_cut_off",),
    "send_timeout": ("test_who_does_not_read_his_answer_is_cut_off",),
    "client_max_body_size": (
        "test_a_body_that_no_device_sends_is_refused",
        "test_a_long_utterance_is_let_in_and_a_film_is_not",
        "test_a_text_too_long_for_memory_is_refused",
    ),
    "limit_conn_zone": ("test_too_many_connections_of_one_address_get_503",),
    "limit_conn": (
        "test_too_many_connections_of_one_address_get_503",
        "test_a_house_of_fifty_devices_is_within_the_limit",
    ),
    "limit_req_zone": ("test_too_many_requests_of_one_address_get_429",),
    "limit_req": (
        "test_too_many_requests_of_one_address_get_429",
        "test_a_page_with_thirty_files_is_within_the_limit",
    ),
    "limit_req_status": ("test_too_many_requests_of_one_address_get_429",),
    "allow": (_STATUS,),
    "deny": (_STATUS, _EMPTIED),
    "stub_status": (_STATUS,),
    "return": (_ALIVE, _CONSOLE, "test_metrics_are_not_for_the_world"),
    "absolute_redirect": (_CONSOLE,),
    # answers
    "gzip": (_PACKED,),
    "gzip_min_length": (_PACKED,),
    "gzip_types": (_PACKED,),
    "gzip_vary": (_PACKED,),
    "add_header": (_VOICE,),
    # on the way to a front or an instance
    "proxy_pass": (_TURN, _VOICE, _REMOTE, _CONSOLE),
    "proxy_http_version": (_KEPT, "test_an_instance_knows_the_name_it_is_called_by_and_keeps_its_connection"),
    "proxy_set_header": (
        _TURN,
        _KEPT,
        _TOKEN,
        _TOLD,
        _REMOTE,
        _CONSOLE,
        "test_an_instance_knows_the_name_it_is_called_by_and_keeps_its_connection",
    ),
    "proxy_connect_timeout": ("test_who_does_not_even_refuse_is_left_within_a_second",),
    "proxy_read_timeout": (
        "test_the_time_without_a_word_is_that_of_the_location",
        "test_nginx_never_cuts_a_silent_device_before_the_front_does",
        "test_events_of_the_console_come_at_once_and_may_be_hours_apart",
        "test_a_slow_thinker_is_waited_for_and_given_up_after_two_minutes",
    ),
    "proxy_next_upstream": (
        _SECOND_FRONT,
        "test_what_a_front_may_have_worked_on_is_not_sent_twice",
        "test_not_ready_is_passed_on_and_takes_no_front_out",
        _BACKUP,
    ),
    "proxy_next_upstream_tries": ("test_two_fronts_are_tried_and_no_third",),
    "proxy_next_upstream_timeout": ("test_after_its_time_a_failure_is_passed_on_to_no_other_front",),
    "proxy_buffering": (
        _AT_ONCE,
        "test_a_stream_of_a_remote_service_is_not_held_up",
        "test_events_of_the_console_come_at_once_and_may_be_hours_apart",
    ),
    "proxy_request_buffering": ("test_speech_reaches_the_instance_while_it_is_spoken",),
    "rewrite": (_VOICE, _REMOTE, _CONSOLE),
    "proxy_intercept_errors": (_BACKUP,),
    "error_page": (_BACKUP,),
    # the cache
    "proxy_cache_path": (
        "test_speech_lies_in_its_folder_and_outlives_a_restart",
        "test_the_cache_is_bounded_and_lasts_an_hour",
    ),
    "proxy_cache": (_VOICE,),
    "proxy_cache_methods": (_VOICE,),
    "proxy_cache_key": (_VOICE, "test_two_long_texts_that_differ_at_their_end_are_two"),
    "proxy_cache_valid": (
        "test_speech_is_kept_for_its_time_and_made_anew",
        "test_a_failure_is_not_kept",
    ),
    "proxy_cache_lock": ("test_who_asks_together_for_the_same_is_answered_by_one_call",),
    "proxy_cache_bypass": (_NOT_A_KEY,),
    "proxy_no_cache": (_NOT_A_KEY,),
    "proxy_ignore_headers": (_VOICE, "test_a_text_that_comes_in_pieces_is_a_key_too"),
    "proxy_buffer_size": ("test_two_long_texts_that_differ_at_their_end_are_two",),
    "proxy_buffers": ("test_two_long_texts_that_differ_at_their_end_are_two",),
    "client_body_buffer_size": (_NOT_A_KEY, "test_two_long_texts_that_differ_at_their_end_are_two"),
    "limit_except": (_EMPTIED,),
    "dav_methods": (_EMPTIED,),
    "alias": (_EMPTIED,),
    # remote services
    "resolver": (_REMOTE, _NO_CONSOLE, "test_nginx_starts_while_no_name_server_answers"),
    "set": (_REMOTE, _NO_CONSOLE),
    "proxy_ssl_server_name": (_REMOTE,),
    "proxy_ssl_verify": (_STRANGER, "test_who_is_signed_by_nobody_we_trust_gets_nothing"),
    "proxy_ssl_verify_depth": ("test_who_is_signed_by_one_whom_another_vouches_for_is_trusted",),
    "proxy_ssl_trusted_certificate": (_REMOTE, "test_who_is_signed_by_nobody_we_trust_gets_nothing"),
    # TLS
    "ssl_certificate": (_TOLD,),
    "ssl_certificate_key": (_TOLD,),
    "ssl_protocols": (_TLS,),
    "ssl_session_cache": (_TLS,),
    "ssl_session_timeout": ("test_a_device_is_remembered_for_a_day",),
}
