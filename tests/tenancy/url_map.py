"""What everybody gets at every address, when the thing in it is Lyktan's. A new address without a line here fails.

One line of answers, then the addresses it holds for, by name (by route where an address has none); `*` ends a name. The
first that fits counts. Answers stand in the order of ROLES:

    200 …  the status         in    led to sign in            desk  sent back to the desk's start, with a sentence
    away   led elsewhere      no    refused, in whatever way
    any    whatever is not a fault (superusers at Wagtail's own addresses)            fault  Wagtail's own: it tests one
"""

from __future__ import annotations

ROLES = ("anonymous", "buyer", "editor", "treasurer", "door", "stranger", "superuser")

# Pages and files for everybody, and what a secret in the address opens. Here Lyktan's words may stand.
PUBLIC = """
200 200 200 200 200 200 200
    livez readyz events:accent event_list event_feed organisation_feed
    events:social_card robots sitemap wagtail_serve wagtaildocs_serve
    legal:legal legal:legal_version legal:legal_own legal:legal_own_version
    ticketing:form ticketing:sale_status ticketing:sale_news ticketing:remind ticketing:reminder
    ticketing:draw ticketing:draw_file ticketing:order ticketing:order_status ticketing:ticket
    ticketing:find_orders ticketing:order_repair ticketing:ticket_answers ticketing:order_answers ticketing:order_change
    ticketing:order_ics ticketing:ticket_ics ticketing:ticket_worker ticketing:order_refund ticketing:order_payout
    resale:market resale:of_event resale:sell resale:private resale:wait resale:wait_from resale:waiting
    ticketing:ticket_give ticketing:gift
    account_inactive account_reset_password account_reset_password_done account_reset_password_from_key
    account_reset_password_from_key_done socialaccount_login_cancelled
202 202 202 202 202 202 202
    ticketing:order_pdf ticketing:ticket_pdf
200 200 200 200 200 200 any
    wagtailadmin_sprite wagtailadmin_javascript_catalog
200 away away away away away away
    account_login account_signup account_request_login_code
away away away away away away away
    ticketing:order_pay ticketing:order_leave ticketing:order_claim ticketing:order_moved
    accounts/social/*
401 401 401 401 401 401 401
    socialaccount_login_error
"""

# What is one's own, or nobody's.
OWN = """
in 200 200 200 200 200 200
    accounts:* checkin:events
    account_reauthenticate account_email account_change_password mfa_index socialaccount_connections
    mfa_list_webauthn
in away away away away away away
    account_email_verification_sent account_set_password account_confirm_login_code
in away away any away away any
    mfa_authenticate mfa_reauthenticate mfa_activate_totp mfa_generate_recovery_codes
    mfa_add_webauthn mfa_remove_webauthn mfa_edit_webauthn mfa_login_webauthn mfa_reauthenticate_webauthn
in 404 404 any 404 404 any
    mfa_deactivate_totp mfa_view_recovery_codes mfa_download_recovery_codes
in in in in in in in
    socialaccount_signup wagtailcore_login
away 200 200 200 200 200 200
    account_logout
in in in in in in any
    admin/login/ wagtailadmin_login
404 404 200 404 404 404 200
    ticketing:form_preview
404 404 404 404 404 404 404
    resale:listing ticketing:opening_ics media_images media_original_images
    liu_* google_* facebook_* github_* openid_connect_*
    ticketing:opening_ics media_images media_original_images
    wagtaildocs_authenticate_with_password wagtailcore_authenticate_with_password ticketing:sandbox_pay
405 405 405 405 405 405 405
    webhook mail_webhook set_language
    discounts:ask_again
    ticketing:order_keep ticketing:order_wait ticketing:order_more_time checkin:gate checkin:admit_order
"""

# The door: those who guard it and those who arrange, of that association alone.
DOOR = """
in 404 200 404 200 404 200
    checkin:door checkin:search
in 404 404 404 404 404 404
    checkin:undo checkin:anyway
404 404 404 404 404 404 404
    checkin:pass
"""

# The desks.
DESKS = """
in 403 200 200 403 200 200
    member_body_desk:index member_body_desk:index_results
    event_desk:index event_desk:index_results sales_report sales_report_results
    event_chooser:choose event_chooser:choose_results event_chooser:chosen_multiple
    organisation_desk:index organisation_desk:index_results legal_desk:index legal_desk:index_results answers
in 403 200 200 403 404 200
    event_chooser:chosen organisation_desk:edit event_answers event_kitchen_file event_guests_file
in 403 desk desk 403 desk 200
    organisation_desk:add
in 403 200 desk 403 200 200
    event_desk:add event_wizard:begin member_body_desk:add
in 403 200 200 403 404 200
    cancellation_desk:event
in 403 200 404 403 404 200
    move_desk:event
in 403 200 200 403 200 200
    cancellation_desk:index
in 403 405 desk 403 405 405
    event_wizard:discard
in 403 200 200 403 200 200
    discount_desk:index discount_desk:index_results sponsor_desk:index sponsor_desk:index_results
    sponsor_desk:report sponsor_desk:report_file
in 403 200 desk 403 404 200
    discount_desk:add discount_desk:edit sponsor_desk:edit
in 403 200 404 403 404 200
    discount_desk:delete sponsor_desk:delete discount_desk:codes discount_desk:codes_file discount_desk:person_price
in 403 200 desk 403 200 200
    sponsor_desk:add
in 403 200 desk 403 404 200
    event_wizard:template event_wizard:facts event_wizard:tickets event_wizard:page event_wizard:preview
    gate_pass_desk:add legal_desk:edit member_body_desk:edit
    event_desk:edit ticket_type_desk:edit quota_desk:edit quota_desk:add draw_desk:add draw_desk:edit
    refund_rule_desk:add resale_rule_desk:add resale_rule_desk:edit giving_rule_desk:add
    waiting_rule_desk:add waiting_rule_desk:edit
    presale_desk:add presale_desk:edit presale_batch_desk:add
in 403 200 desk 403 200 200
    presale_desk:index presale_desk:index_results waiting_desk:index waiting_desk:index_results
in 403 200 200 403 200 200
    listing_desk:index listing_desk:index_results
in 403 200 200 403 404 200
    listing_desk:inspect
in 403 403 200 403 404 200
    listing_desk:change
in 403 405 404 403 404 405
    presale_desk:mail
in 403 200 404 403 404 200
    gate_pass_desk:delete sale_desk:add member_body_desk:delete member_body_desk:list member_body_desk:list_bad_rows
    presale_audience presale_desk:delete presale_desk:inspect presale_batch_desk:inspect waiting_desk:inspect
    event_desk:delete ticket_type_desk:delete ticket_type_desk:add quota_desk:delete draw_desk:delete
in 403 desk 200 403 desk 200
    order_desk:index order_desk:index_results ticket_desk:index ticket_desk:index_results books refund_task:index
    transfer_desk:index transfer_desk:index_results pay_back_desk:index pay_back_desk:index_results
    transfer_desk:bank_file transfer_account_desk:index transfer_account_desk:index_results
    transfer_account_desk:edit stripe_desk:index
in 403 desk away 403 desk away
    stripe_desk:back stripe_desk:again
in 403 404 200 403 404 200
    order_desk:inspect transfer_desk:inspect pay_back_desk:inspect
    event_books event_books_file order_desk:refund refund_task:otherwise cancellation_desk:payouts
in 403 405 404 403 404 405
    member_body_desk:list_confirm member_body_desk:try
in 403 desk away 403 desk 200
    transfer_account_desk:add
in 403 desk 405 403 desk 405
    transfer_desk:bank_file_confirm
in 403 404 405 403 404 405
    order_desk:mail_again order_desk:repair order_desk:gift_cancel refund_task:again
    stripe_desk:begin stripe_desk:look stripe_desk:leave
"""

# Wagtail's own.
WAGTAIL = """
in 403 200 200 403 200 any
    wagtailadmin_home wagtailadmin_account wagtailadmin_dismissibles
in in 405 405 in 405 405
    wagtailadmin_logout
in 403 200 404 403 200 any
    wagtailadmin_explore_root wagtailadmin_pages:search wagtailadmin_pages:search_results
    wagtailadmin_choose_page wagtailadmin_choose_page_search wagtailadmin_choose_page_external_link
    wagtailadmin_choose_page_email_link wagtailadmin_choose_page_phone_link wagtailadmin_choose_page_anchor_link
    wagtailadmin_collections:index wagtailadmin_collections:add
    wagtaildocs:index wagtaildocs:index_results wagtaildocs:add wagtaildocs:add_multiple
    wagtaildocs_chooser:choose wagtaildocs_chooser:choose_results wagtaildocs_chooser:create
    wagtailimages:index wagtailimages:index_results wagtailimages:add wagtailimages:add_multiple
    wagtailimages_chooser:choose wagtailimages_chooser:choose_results wagtailimages_chooser:create
in 403 200 404 403 404 any
    wagtailadmin_explore wagtailadmin_explore_results wagtail_bulk_action wagtailadmin_api:pages:detail
    wagtailadmin_pages:add wagtailadmin_pages:preview_on_add wagtailadmin_pages:add_subpage
    wagtailadmin_pages:edit wagtailadmin_pages:preview_on_edit wagtailadmin_pages:view_draft
    wagtailadmin_pages:delete wagtailadmin_pages:unpublish wagtailadmin_pages:copy
    wagtailadmin_pages:move wagtailadmin_pages:move_confirm
    wagtailadmin_pages:confirm_workflow_cancellation wagtailadmin_pages:workflow_history
    wagtailadmin_pages:revisions_view wagtailadmin_pages:revisions_revert wagtailadmin_pages:revisions_unschedule
    wagtailadmin_pages:revisions_compare wagtailadmin_pages:history wagtailadmin_pages:history_results
    wagtailadmin_choose_page_child wagtailadmin_choose_page_chosen_multiple
    wagtailadmin_collections:edit simple_translation:submit_page_translation
    wagtaildocs:edit wagtaildocs:delete wagtaildocs_chooser:chosen wagtaildocs_chooser:chosen_multiple
    wagtailimages:edit wagtailimages:delete wagtailimages:preview
    wagtailimages_chooser:chosen wagtailimages_chooser:chosen_multiple wagtailimages_chooser:select_format
in 403 200 404 403 400 any
    wagtailadmin_api:pages:listing
in 403 away 404 403 away any
    wagtailadmin_pages:choose_parent
in 403 away 404 403 404 any
    wagtailadmin_pages:revisions_index
in 403 405 404 403 404 any
    wagtailadmin_pages:set_page_position wagtailadmin_pages:lock wagtailadmin_pages:unlock
    wagtailadmin_editing_sessions:ping
    wagtaildocs:edit_multiple wagtaildocs:delete_multiple wagtailimages:edit_multiple wagtailimages:delete_multiple
in 403 405 404 403 405 any
    wagtailadmin_editing_sessions:release
    wagtaildocs:create_multiple_from_uploaded_document wagtaildocs:delete_upload_multiple
    wagtailimages:create_multiple_from_uploaded_image wagtailimages:delete_upload_multiple
404 403 404 404 403 404 any
    wagtailadmin_password_reset*
away 403 404 404 403 404 any
    admin/^.*/$
in 403 404 404 403 404 fault
    wagtailadmin_error_test
in 403 no 404 403 404 any
    wagtailadmin_pages:workflow_preview
in 403 404 404 403 404 any
    admin/test404/ wagtailadmin_api:* wagtailadmin_block_preview wagtailadmin_tag_*
    wagtailadmin_pages:type_use wagtailadmin_pages:type_use_results wagtailadmin_pages:usage
    wagtailadmin_pages:convert_alias wagtailadmin_pages:set_privacy wagtailadmin_pages:workflow_action
    wagtailadmin_pages:collect_workflow_action_data wagtailadmin_pages:workflow_history_detail
    wagtailadmin_collections:delete wagtailadmin_collections:set_privacy
    wagtailadmin_workflows:* wagtailadmin_reports:*
    wagtaildocs:document_usage wagtailimages:image_usage wagtailimages:url_generator*
    wagtailembeds:* wagtailforms:* wagtailredirects:* wagtailsettings:* wagtailsnippets:*
    wagtailsites:* wagtailusers_users:* wagtailusers_groups:* wagtaillocales:*
    simple_translation:submit_snippet_translation
"""
